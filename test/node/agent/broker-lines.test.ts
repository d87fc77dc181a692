import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { readLines } from '../../../src/node/agent/broker-lines.ts'

const read = (text: string, onLine: (line: string) => void) =>
  readLines(Readable.from([Buffer.from(text)]), onLine)

test('a line that cannot be handled is misuse, with the reason', async () => {
  const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}\n`
  expect(await read(nested, (line) => void JSON.stringify(JSON.parse(line)))).toBe(
    'it sent a line that could not be handled: Maximum call stack size exceeded',
  )
})

test('the agent does other work between the lines of one read', async () => {
  let handled = 0
  const reading = read('\n'.repeat(5000), () => void (handled += 1))
  await new Promise(setImmediate)
  expect(handled).toBeLessThan(1000)
  await reading
  expect(handled).toBe(5000)
})
