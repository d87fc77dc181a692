/** Every command, in the order of `wimds help`. Only help, completion and docs/cli.md need them all. */
import { COMPLETION } from './completion/completion.ts'
import type { CommandDeclaration } from '../lib/declaration.ts'
import { DEMO } from '../tools/demo/demo.ts'
import { DOCTOR } from '../tools/doctor/doctor.ts'
import { ENV } from '../tools/env.ts'
import { HELP } from './help.ts'
import { INJECT } from '../tools/inject/options.ts'
import { NODE_AGENT } from '../cluster/node-agent/agent-options.ts'
import { PROBE } from '../sidecar/probe.ts'
import { REDIRECT } from '../sidecar/redirect/redirect.ts'
import { REPORT } from '../tools/report/report.ts'
import { SERVE } from '../sidecar/serve/declaration.ts'
import { SIMULATE } from '../tools/simulator/simulator-options.ts'
import { TOKEN } from '../tools/token.ts'
import { TRUST } from '../tools/trust/trust.ts'
import { UNINJECT } from '../tools/inject/uninject.ts'
import { VERSION_COMMAND } from './version-command.ts'
import { WEBHOOK } from '../cluster/webhook/webhook-options.ts'

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
