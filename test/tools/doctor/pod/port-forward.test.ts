import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { createPortForward } from '../../../../src/tools/doctor/pod/port-forward.ts'
import { createFolder } from '../../../fixtures/folder.ts'
import { listening } from '../../../fixtures/listening.ts'
import { aStatus } from '../../../fixtures/status.ts'
import { captureIo } from '../../capture.ts'

test('reads the status, and ends a kubectl that is a script around another program', async () => {
  const server = createServer((_, reply) => reply.end(JSON.stringify(aStatus())))
  await using admin = await listening(server)
  using folder = createFolder()
  const script = `#!/bin/sh
echo 'Forwarding from 127.0.0.1:${admin.port} -> 9442'
(while echo Handling; do /bin/sleep 0.1; done) &
wait
`
  folder.write('kubectl', script, 0o755)
  const read = createPortForward(captureIo({ PATH: folder.path }), undefined)
  const status = await read({ namespace: 'wimds-node-agent', name: 'x', port: 9442 })
  expect(status).toMatchObject({ identities: [{ name: 'orders' }] })
})
