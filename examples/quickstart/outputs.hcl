output "urls" {
  value       = [domain["bakery.localhost"].url, domain["notes.localhost"].url]
  description = "The sites, for a browser."
}
