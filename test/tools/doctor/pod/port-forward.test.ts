import { expect, test } from 'vitest'
import { createPortForward } from '../../../../src/tools/doctor/pod/port-forward.ts'
import { createFolder } from '../../../fixtures/folder.ts'

const TARGET = { namespace: 'wimds-node-agent', name: 'x', port: 9442 }

/** Forwards a port by a kubectl that runs these commands of the shell. */
async function forwardBy(commands: string, timeoutMs?: number) {
  using directory = createFolder()
  directory.write('kubectl', `#!/bin/sh\n${commands}\n`, 0o755)
  const { signal } = new AbortController()
  const env = { PATH: directory.path }
  return await createPortForward({ env, signal, context: undefined }, timeoutMs)(TARGET)
}

test('ends with a kubectl that is a script around another program', async () => {
  const forwarded = await forwardBy(`echo 'Forwarding from 127.0.0.1:7 -> 9442'
(while echo Handling; do /bin/sleep 0.1; done) &
wait`)
  if (typeof forwarded === 'string') throw new Error(forwarded)
  expect(forwarded.port).toBe(7)
  await forwarded[Symbol.asyncDispose]()
})

test('says that kubectl did not forward the port in time', async () => {
  expect(await forwardBy('exec /bin/sleep 600', 100)).toBe(
    'kubectl port-forward: no answer within 0.1 s',
  )
})
