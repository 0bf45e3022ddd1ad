# One server of an agency: its own tools and the sites of three customers, each in containers, behind one nginx in a container.
#
# All tenants' sites are reached over one Docker network, `flowbiz_ext`: nginx is on it, and of each stack the services alone that a domain
# points at. Databases are on none but their own stack's.

vsa {
  audit {
    jsonl = "/var/log/vsa/audit.jsonl"
  }
}

node "vps-01" {
  srv_root = "/srv"
  network  = "flowbiz_ext"

  proxy {
    mode      = "container"
    container = "reverse-proxy"
  }
}

# What nginx and the services behind it meet on. It has no tenant: it is the node's.
network "flowbiz" {
  name = "flowbiz_ext"
}

tenant "agency" {
  name = "Flowbiz"
}

tenant "bakery" {
  name = "Corner Bakery"
  tier = "basic"
}

tenant "clinic" {
  name = "North Clinic"
  tier = "pro"
}

tenant "club" {
  name = "Rowing Club"
  tier = "basic"
}

# nginx itself. It reads generations and certificates, and the directories of static sites.
stack "reverse-proxy" {
  tenant = tenant.agency
  source = "vsa://reverse-proxy"

  env = {
    VSA_ROOT = "/var/lib/vsa/vps-01"
  }

  allow = ["bind:nginx", "published_port:nginx"]
}

# Names that have moved, in one list.
locals {
  moved = {
    "bakery-corner.example" = domain["corner-bakery.example"].url
    "rowing-club.example"   = domain["northside-rowing.example"].url
  }

  owners = {
    "bakery-corner.example" = tenant.bakery
    "rowing-club.example"   = tenant.club
  }
}

domain "moved" {
  for_each = local.moved

  name   = each.key
  tenant = local.owners[each.key]

  redirect {
    to = each.value
  }
}
