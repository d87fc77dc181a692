import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { catchEnd } from '../../../../src/tools/doctor/findings.ts'
import { createPortForward } from '../../../../src/tools/doctor/pod/port-forward.ts'
import { TIMED_OUT } from '../../../../src/tools/doctor/run-kubectl.ts'
import { createFolder } from '../../../fixtures/folder.ts'
import { listening } from '../../../fixtures/listening.ts'
import { aStatus } from '../../../fixtures/status.ts'
import { captureIo } from '../../capture.ts'

const TARGET = { namespace: 'wimds-node-agent', name: 'x', port: 9442 }

/** Reads a status by a kubectl that runs these commands of the shell. */
async function readBy(commands: string, runMs?: number) {
  using directory = createFolder()
  directory.write('kubectl', `#!/bin/sh\n${commands}\n`, 0o755)
  const read = createPortForward(captureIo({ PATH: directory.path }), undefined, runMs)
  return await catchEnd(() => read(TARGET))
}

test('reads the status, and ends a kubectl that is a script around another program', async () => {
  const server = createServer((_, reply) => reply.end(JSON.stringify(aStatus())))
  await using admin = await listening(server)
  const status = await readBy(`echo 'Forwarding from 127.0.0.1:${admin.port} -> 9442'
(while echo Handling; do /bin/sleep 0.1; done) &
wait`)
  expect(status).toMatchObject({ identities: [{ name: 'orders' }] })
})

test('says that kubectl did not forward the port in time', async () => {
  expect(await readBy('exec /bin/sleep 600', 100)).toMatchObject({
    outcome: {
      status: 'not_checked',
      reason: `kubectl port-forward x failed: ${TIMED_OUT}`,
    },
  })
})
