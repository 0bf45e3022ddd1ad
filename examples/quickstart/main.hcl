# Two tenants on one server. `vsa plan` shows what would change, `vsa apply` makes it so.
#
# vsa runs an nginx of its own here, on ports that need no root; names below `.localhost` lead to this machine in every browser.

node "local" {
  proxy {
    http_port  = var.http_port
    https_port = var.https_port
  }
}

tenant "bakery" {
  name = "Corner Bakery"
}

tenant "studio" {
  name = "Studio North"
  tier = "pro"
}

# No authority vouches for names below `.localhost`, so vsa signs for them itself: browsers warn, and are right to.
certificate "bakery.localhost" {
  issuer = "self_signed"
  names  = ["bakery.localhost", "www.bakery.localhost", "old-bakery.localhost", "notes.localhost"]
}

# A static site, with its other name redirected to it. Its certificate is the one of its name.
domain "bakery.localhost" {
  tenant  = tenant.bakery
  aliases = ["www.bakery.localhost"]
  root    = "${path.module}/www"
}

# A name that has moved.
domain "old-bakery.localhost" {
  tenant = tenant.bakery

  redirect {
    to = domain["bakery.localhost"].url
  }

  tls {
    certificate = certificate["bakery.localhost"]
  }
}

# An application behind the proxy, a part of it behind a password.
domain "notes.localhost" {
  tenant = tenant.studio

  upstream {
    address = "127.0.0.1:${var.backend_port}"
  }

  location "/admin/" {
    auth = auth.staff
  }

  tls {
    certificate = certificate["bakery.localhost"]
  }
}

auth "staff" {
  tenant = tenant.studio
  realm  = "Staff only"

  user "alice" {
    password = var.alice_password
  }
}
