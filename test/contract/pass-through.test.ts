import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { passThrough } from '../../src/metadata/pass-through.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'
import { parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

test("passes the real service's reply on with one of each header", async () => {
  await using real = await listening(
    createServer((_, reply) => {
      reply.writeHead(200, { 'content-type': 'text/plain', 'retry-after': '7', 'x-other': '1' })
      reply.end('real')
    }),
  )
  const target = { host: '127.0.0.1', port: real.port }
  const prefixes = ['/metadata/loadbalancer']
  await using server = await serveParts(parts({ passThrough: passThrough({ prefixes, target }) }))
  for (const path of ['/metadata/loadbalancer', '//metadata/loadbalancer']) {
    const { head, body } = await roundTrip(server.port, request(path))
    expect(body).toBe('real')
    expect(head.match(/^content-type:.*$/gim)).toEqual(['Content-Type: text/plain'])
    expect(head).toContain('Retry-After: 7')
    expect(head).not.toMatch(/^x-other/im)
  }
})
