# A private certificate authority and the edge's certificate. Sourced by edge.
# Both belong to this state folder alone and are trusted by nobody who is not told to.
# shellcheck shell=bash

# make_tls DIR: ca.pem and ca.key (10 years), server.pem and server.key (825 days, the longest that Apple's clients
# accept). An authority that is there stays; a certificate that expires within a week is issued anew.
make_tls() {
  local dir=$1
  mkdir -p "$dir"
  if [[ ! -e $dir/ca.pem ]]; then
    (
      umask 077
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 3650 \
        -subj '/CN=Marquee local CA' -keyout "$dir/ca.key" -out "$dir/ca.pem.part" \
        -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign,cRLSign'
    ) 2>/dev/null
    rm -f "$dir/server.pem"
    chmod 644 "$dir/ca.pem.part"
    mv "$dir/ca.pem.part" "$dir/ca.pem"
  fi
  if ! openssl x509 -noout -checkend 604800 -in "$dir/server.pem" >/dev/null 2>&1; then
    issue_server_certificate "$dir"
  fi
}

issue_server_certificate() {
  local dir=$1
  (
    umask 077
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj '/CN=localhost' \
      -keyout "$dir/server.key" -out "$dir/server.csr"
    cat >"$dir/server.ext" <<'EXT'
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, IP:::1, DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
EXT
    openssl x509 -req -sha256 -days 825 -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
      -set_serial "0x$(openssl rand -hex 16)" -extfile "$dir/server.ext" -out "$dir/server.pem.part"
  ) 2>/dev/null
  rm -f "$dir/server.csr" "$dir/server.ext"
  mv "$dir/server.pem.part" "$dir/server.pem"
}
