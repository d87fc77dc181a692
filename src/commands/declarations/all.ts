/** Every command, in the order of `wimds help`. Only help, completion and docs/cli.md need them all. */
import { COMPLETION } from './completion.ts'
import type { CommandDeclaration } from './declaration.ts'
import { DEMO } from './demo.ts'
import { DOCTOR } from './doctor.ts'
import { ENV } from './env.ts'
import { HELP } from './help.ts'
import { INJECT } from './inject.ts'
import { NODE_AGENT } from './node-agent.ts'
import { PROBE } from './probe.ts'
import { REDIRECT } from './redirect.ts'
import { REPORT } from './report.ts'
import { SERVE } from './serve.ts'
import { SIMULATE } from './simulate.ts'
import { TOKEN } from './token.ts'
import { TRUST } from './trust.ts'
import { UNINJECT } from './uninject.ts'
import { VERSION_COMMAND } from './version.ts'
import { WEBHOOK } from './webhook.ts'

export const ALL_COMMANDS: readonly CommandDeclaration[] = [
  SERVE,
  REDIRECT,
  PROBE,
  WEBHOOK,
  NODE_AGENT,
  INJECT,
  UNINJECT,
  TRUST,
  DOCTOR,
  REPORT,
  TOKEN,
  ENV,
  DEMO,
  SIMULATE,
  COMPLETION,
  VERSION_COMMAND,
  HELP,
]
