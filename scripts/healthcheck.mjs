// Asks the service in this container whether it is alive. Exit code 0 when it is.
import http from 'node:http'
import https from 'node:https'

const port = process.env.CONSILIUM_PORT || 3000
const path = '/healthz'
// The certificate names the public host, not this one, and the question never leaves the container.
const request = process.env.CONSILIUM_TLS_CERT
  ? https.get({ host: '127.0.0.1', port, path, rejectUnauthorized: false })
  : http.get({ host: '127.0.0.1', port, path })
request.setTimeout(4000, () => request.destroy())
request.on('error', () => process.exit(1))
request.on('response', response => process.exit(response.statusCode === 200 ? 0 : 1))
