# The customers: stacks that began as a copy of a template in `stacks/templates`.

# A bakery: a site of files, and an application that takes orders.

stack "bakery-site" {
  tenant = tenant.bakery
  source = "./stacks/bakery-site"
}

domain "corner-bakery.example" {
  tenant  = tenant.bakery
  aliases = ["www.corner-bakery.example"]

  upstream {
    stack   = stack.bakery-site
    service = "web"
    port    = 8080
  }
}

stack "orders" {
  tenant = tenant.bakery
  source = "./stacks/orders"

  env = {
    DB_PASSWORD = var.orders_db_password
  }
}

domain "orders.corner-bakery.example" {
  tenant = tenant.bakery

  upstream {
    stack   = stack.orders
    service = "web"
    port    = 3000
  }

  # What staff sees of the orders.
  location "/kitchen/" {
    auth = auth.bakery
  }

  rate_limit {
    rate  = "10r/s"
    burst = 40
  }
}

auth "bakery" {
  tenant = tenant.bakery
  realm  = "Kitchen"

  user "kitchen" {
    password = var.kitchen_password
  }
}

# A clinic: a static site, booking, and an intranet that is the same application behind a password and the clinic's own addresses.

domain "north-clinic.example" {
  tenant  = tenant.clinic
  aliases = ["www.north-clinic.example"]
  root    = "/srv/clinic/www"
}

stack "booking" {
  tenant = tenant.clinic
  source = "./stacks/booking"

  env = {
    DB_PASSWORD = var.booking_db_password
  }
}

domain "booking.north-clinic.example" {
  tenant = tenant.clinic

  upstream {
    stack   = stack.booking
    service = "web"
    port    = 8000
  }
}

auth "clinic" {
  tenant = tenant.clinic
  realm  = "North Clinic"

  user "reception" {
    password = var.reception_password
  }
}

domain "intranet.north-clinic.example" {
  tenant  = tenant.clinic
  auth    = auth.clinic
  allow   = var.clinic_addresses
  satisfy = "all"

  headers = {
    X-Robots-Tag = "noindex"
  }

  upstream {
    stack   = stack.booking
    service = "web"
    port    = 8000
  }
}

# A club: one PHP site, its members' part under a name of its own.

stack "club-site" {
  tenant = tenant.club
  source = "./stacks/club-site"

  env = {
    DB_PASSWORD = var.club_db_password
  }
}

domain "northside-rowing.example" {
  tenant  = tenant.club
  aliases = ["www.northside-rowing.example"]

  upstream {
    stack   = stack.club-site
    service = "web"
    port    = 80
  }
}

auth "members" {
  tenant = tenant.club
  realm  = "Members"

  user "crew" {
    password = var.crew_password
  }
}

domain "members.northside-rowing.example" {
  tenant = tenant.club
  auth   = auth.members

  upstream {
    stack   = stack.club-site
    service = "web"
    port    = 80
  }
}
