/** The error of a helper that fails has its output and the fix. */
import { closeSync, openSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openSocket, ToolFailure } from '../../../src/node/agent/open-socket.ts'
import { createFolder } from '../../fixtures/folder.ts'

const STEP = { argv: ['nft', '-f', '-'] } as const

test.each([
  ['echo "nft: no rule" >&2; exit 2', true, 'nft: no rule'],
  ['exit 2', true, 'wimds-node open-socket 8000 -- nft -f -: exit code 2'],
  ['echo "wimds-node: cannot listen" >&2; exit 1', false, 'wimds-node: cannot listen'],
  ['exit 0', false, 'the agent did not get the socket. Fix: raise its limit of open files'],
])('says why the helper failed: %s', async (script, isOfStep, message) => {
  using tools = createFolder()
  tools.write('wimds-node', `#!/bin/sh\n${script}\n`, 0o755)
  const namespace = openSync('/proc/self/ns/net', 'r')
  const options = { namespace, port: 8000, listens: true, steps: [STEP], path: tools.path }
  const { signal } = new AbortController()
  const error = await openSocket({ ...options, signal }).catch((reason: unknown) => reason)
  closeSync(namespace)
  expect(error).toMatchObject({ message })
  expect(error instanceof ToolFailure).toBe(isOfStep)
})
