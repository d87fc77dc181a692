// The baseline: a bare node:http server that gives every request the same answer.
// `node baseline.mjs PORT HEADERS BODY`; HEADERS is JSON.
import { createServer } from 'node:http'

const [, , port, headers, body] = process.argv
const fields = JSON.parse(headers)

// wimds keeps connections for as long, and each of its answers says so.
createServer({ keepAliveTimeout: 75_000 }, (_request, response) => {
  response.writeHead(200, fields)
  response.end(body)
}).listen(Number(port), '127.0.0.1')
