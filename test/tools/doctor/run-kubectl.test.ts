/** A login for which an exec plugin of kubectl writes a prompt and waits. Also: kubectl ends with doctor. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { expect, test, vi } from 'vitest'
import { createKubectl } from '../../../src/tools/doctor/kubectl.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { captureIo } from '../capture.ts'

const PROMPT = 'To sign in, use a web browser to open https://microsoft.com/devicelogin, code ABC.'

test('shows the prompt of the first login on a terminal at once, and waits for the answer', async () => {
  using folder = createFolder()
  const script = `#!/bin/sh
echo '${PROMPT}' >&2
until [ -e ${folder.file('answered')} ]; do /bin/sleep 0.05; done
echo '{}'
`
  folder.write('kubectl', script, 0o755)
  const io = captureIo({ PATH: folder.path })
  Object.assign(io.stderr, { isTTY: true })
  // The input is not the terminal in which this test runs.
  const stdin = Object.assign(new PassThrough(), { isTTY: true })
  const kubectl = createKubectl({ io: { ...io, stdin } }, 1)
  const running = kubectl(['create'], '{}')
  await vi.waitUntil(() => io.err().includes(PROMPT), { timeout: 60_000 })
  folder.write('answered', '')
  expect(await running).toBe('{}\n')
  const shown = io.err()
  await kubectl(['get', 'pods'])
  expect(io.err()).toBe(shown)
})

test('ends kubectl if doctor is ended by a signal', async () => {
  using folder = createFolder()
  // A reader of the pipe waits until a program opens it, and reaches its end when no program has it open.
  const held = folder.file('held')
  execFileSync('mkfifo', [held])
  folder.write('kubectl', `#!/bin/sh\nexec /bin/sleep 120 3> ${held}\n`, 0o755)
  const doctor = spawn(process.execPath, ['src/cli.ts', 'doctor', 'orders'], {
    env: { PATH: folder.path },
    stdio: 'ignore',
  })
  const exit = once(doctor, 'exit')
  const reading = createReadStream(held)
  await once(reading, 'open')
  doctor.kill()
  expect(await exit).toEqual([null, 'SIGTERM'])
  await finished(reading.resume())
})
