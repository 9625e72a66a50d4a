#!/bin/sh
# A self-signed certificate for nginx, made once. For the sample only.
set -eu
cd "$(dirname "$0")"
folder=nginx/certificates
[ ! -s "$folder/shop.crt" ] || exit 0
mkdir -p "$folder"
umask 077
openssl req -x509 -newkey rsa:2048 -nodes -days 825 -subj /CN=shop.example -addext subjectAltName=DNS:shop.example,DNS:localhost \
    -keyout "$folder/shop.key" -out "$folder/shop.crt" 2>/dev/null
chmod 0644 "$folder/shop.crt"
