#!/bin/sh
# Makes every secret of this server anew, as values of its variables.
set -eu

secret() { openssl rand -hex 16; }

for name in alice bob kitchen reception crew grafana orders_db booking_db club_db; do
  printf '%s_password = "%s"\n' "$name" "$(secret)"
done

printf '\ndify = {\n'
for name in secret_key init_password db_password redis_password sandbox_key plugin_key inner_key; do
  printf '  %s = "%s"\n' "$name" "$(secret)"
done

printf '}\n\nn8n = {\n'
for name in encryption_key runners_token db_password redis_password; do
  printf '  %s = "%s"\n' "$name" "$(secret)"
done
printf '}\n'
