/** Parses the flags of `wimds node-agent`. */
import { type Address, address } from '../../config/parsers.ts'
import { UsageError } from '../../errors.ts'
import { DISCOVERIES, type Discovery } from '../../kubernetes/node-agent/discovery.ts'
import { findFlagProblems, parseFlags } from '../../lib/args.ts'
import { NODE_AGENT } from '../declarations/node-agent.ts'
import type { CommandIo } from '../io.ts'
import { parseSettingFlag } from '../setting-flag.ts'

export interface NodeAgentOptions {
  readonly nodeName: string
  readonly discovery: Discovery
  readonly netnsDirectory: string
  readonly adminListen: Address
}

const DEFAULT_ADMIN_LISTEN: Address = { host: '127.0.0.1', port: 9441 }

/** Returns the options. Throws a `UsageError` with every problem of the flags. */
export function parseNodeAgentOptions(
  args: readonly string[],
  env: CommandIo['env'],
): NodeAgentOptions {
  const flags = parseFlags(args, NODE_AGENT.flags)
  const problems = [...findFlagProblems(flags)]
  const nodeName = flags.value('node-name') ?? env['NODE_NAME'] ?? ''
  if (nodeName === '') {
    problems.push(
      'the name of the node is missing. Fix: set --node-name, or NODE_NAME from spec.nodeName',
    )
  }
  const adminListen =
    parseSettingFlag(flags, 'admin-listen', address, problems) ?? DEFAULT_ADMIN_LISTEN
  if (problems.length > 0) throw new UsageError(problems)
  return {
    nodeName,
    discovery: DISCOVERIES.find((each) => each === flags.value('discovery')) ?? 'netns',
    netnsDirectory: flags.value('netns-directory') ?? '/var/run/netns',
    adminListen,
  }
}
