/** The usage and the argument errors of every command. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { demo } from '../../src/tools/demo/demo.ts'
import { doctor } from '../../src/tools/doctor/doctor.ts'
import { declare, declareAll } from '../../src/cli/commands.ts'
import { env } from '../../src/tools/env.ts'
import { createHelp } from '../../src/cli/help.ts'
import { Settings } from '../../src/sidecar/config/settings.ts'
import { inject } from '../../src/tools/inject/inject.ts'
import { uninject } from '../../src/tools/inject/uninject.ts'
import type { Command } from '../../src/lib/command.ts'
import { nodeAgent } from '../../src/cluster/node-agent/node-agent.ts'
import { nodeBroker } from '../../src/cluster/node-broker/node-broker.ts'
import { probe } from '../../src/sidecar/probe.ts'
import { redirect } from '../../src/sidecar/redirect/redirect.ts'
import { report } from '../../src/tools/report/report.ts'
import { serve } from '../../src/sidecar/serve/serve.ts'
import { simulate } from '../../src/tools/simulator/simulate.ts'
import { token } from '../../src/tools/token.ts'
import { trust } from '../../src/tools/trust/trust.ts'
import { webhook } from '../../src/cluster/webhook/webhook.ts'
import { findPiece } from './secrets.ts'
import { captureIo, exitCode, nameOf } from '../tools/capture.ts'

const COMMANDS = [
  serve,
  demo,
  simulate,
  inject,
  uninject,
  trust,
  redirect,
  webhook,
  nodeAgent,
  nodeBroker,
  probe,
  report,
  doctor,
  token,
  env,
].map((command): readonly [string, Command] => [nameOf(command), command])

async function run(command: Command, args: readonly string[]) {
  const io = captureIo()
  const code = await exitCode(command, args, io)
  return { code, out: io.out(), err: io.err() }
}

test('lists every command', () => {
  const usage = execFileSync(process.execPath, ['src/cli.ts', 'help'], { encoding: 'utf8' })
  const named = [...usage.matchAll(/^ {2}([a-z][a-z-]*) {2}/gm)].map(([, name]) => name)
  expect(new Set(named)).toEqual(new Set([...COMMANDS.map(([name]) => name), 'version', 'help']))
})

test('wimds help serve lists the variables and their defaults', async () => {
  const io = captureIo({})
  await createHelp({ declare, declareAll })(['serve'], io)
  for (const name of Object.keys(Settings.shape)) expect(io.out()).toContain(`\n  ${name}`)
  expect(io.out()).toMatch(/ WIMDS_LOG_LEVEL +info\n/)
})

test.each(await declareAll())(
  '$name has its usage, flags and exit codes explained',
  async (command) => {
    const io = captureIo()
    expect(await createHelp({ declare, declareAll })([command.name], io)).toBe(0)
    expect(io.out()).toMatch(new RegExp(`^usage: wimds ${command.name}\\b`))
    for (const flag of Object.keys(command.flags)) expect(io.out()).toContain(`--${flag}`)
    expect(io.out()).toContain('-h, --help')
    expect(io.out()).toMatch(/^ {2}64 /m)
  },
)

test.each(COMMANDS)('wimds %s prints every problem of its arguments', async (name, command) => {
  // Two problems for each command: these lack their argument.
  const args = [inject, uninject, token, nodeAgent].includes(command)
    ? ['--frob']
    : ['--frob', 'now']
  const { code, out, err } = await run(command, args)
  expect({ code, out }).toEqual({ code: 64, out: '' })
  const line = String.raw`wimds ${name}: .+\n`
  expect(err).toMatch(new RegExp(`^${line}${line}\nSee wimds ${name} --help\\.\n$`))
  expect(err).toContain(
    `wimds ${name}: ${command === serve ? 'unexpected argument --frob. Fix: serve takes no flags; set variables such as WIMDS_LISTEN' : '--frob is not a flag'}`,
  )
})

const JWT = [{ alg: 'RS256', kid: 'a-key' }, { sub: 'system:serviceaccount:shop:orders' }, 'signed']
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')

test.each(COMMANDS)('wimds %s redacts a token in its arguments', async (_, command) => {
  const { err } = await run(command, [`--${JWT}`, JWT])
  expect(err).toContain('[redacted]')
  expect(findPiece(JWT, err)).toBeUndefined()
})
