output "agency" {
  value = [
    domain["flowbiz.example"].url,
    domain["dashboard.flowbiz.example"].url,
    domain["dify.flowbiz.example"].url,
    domain["n8n.flowbiz.example"].url,
    domain["metrics.flowbiz.example"].url,
  ]
  description = "The agency's own addresses."
}

output "customers" {
  value = {
    bakery = [domain["corner-bakery.example"].url, domain["orders.corner-bakery.example"].url]
    clinic = [domain["north-clinic.example"].url, domain["booking.north-clinic.example"].url]
    club   = [domain["northside-rowing.example"].url, domain["members.northside-rowing.example"].url]
  }
  description = "What to send to whom."
}
