import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const SETTINGS = JSON.stringify(new URL('../../src/cli/precompiled.ts', import.meta.url).href)
/** Prints whether the objects of nextTick have the hidden class of the kept one after a collection of garbage. */
const SCRIPT = `
  import { createHook } from 'node:async_hooks'
  import { setImmediate } from 'node:timers/promises'
  import { keepTickShape } from ${SETTINGS}
  const kept = new WeakRef(keepTickShape())
  for (let count = 0; count < 100; count += 1) process.nextTick(() => {})
  await setImmediate()
  gc({ type: 'major', flavor: 'last-resort' })
  let next
  createHook({ init: (id, type, triggerId, resource) => (next = resource) }).enable()
  process.nextTick(() => {})
  const first = kept.deref()
  console.log(first !== next && %HaveSameMap(first, next))
`

test('the hidden class of the objects of nextTick survives a collection of garbage', async () => {
  const flags = ['--expose-gc', '--allow-natives-syntax', '--input-type=module', '--eval', SCRIPT]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  expect(stdout).toBe('true\n')
})
