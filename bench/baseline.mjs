// The baseline: a bare node:http server that answers every request with
// the same bytes: `node baseline.mjs PORT HEADERS BODY`, the headers as JSON. It is what a few lines on
// Node are today, an import included.
import { createServer } from 'node:http'

const [, , port, headers, body] = process.argv
const fields = JSON.parse(headers)

// As long as wimds keeps a connection, which each answer says.
createServer({ keepAliveTimeout: 75_000 }, (_request, response) => {
  response.writeHead(200, fields)
  response.end(body)
}).listen(Number(port), '127.0.0.1')
