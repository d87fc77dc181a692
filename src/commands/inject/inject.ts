/** `wimds inject`: manifests in, manifests with the sidecar out. Needs no cluster. */
import { injectManifests } from '../../kubernetes/manifests/inject-manifests.ts'
import { unifiedDiff } from '../../kubernetes/manifests/unified-diff.ts'
import { complain } from '../../lib/print-error.ts'
import { INJECT_FLAGS, optionsOf } from './options.ts'
import { parseFlags } from '../../lib/args.ts'
import type { CommandIo } from '../io.ts'
import { readSources } from './sources.ts'

const USAGE = `usage: wimds inject [FLAGS] FILE...

Adds the sidecar to every workload in the manifests (- is standard input) that does not opt out
with the annotation wimds.io/inject: "false", and prints the result.

  --mode MODE             env, loopback (the default) or nft
  --image IMAGE           the sidecar's image
  --redirect-image IMAGE  the init container's image
  --env NAME=VALUE        a variable for the sidecar; may be given more than once
  --client-id ID          else from the ServiceAccount in the same input
  --tenant-id ID          else from the ServiceAccount in the same input
  --namespace NAME        of objects that name none
  --uid UID|none          the sidecar's uid (default 1501); none leaves it to the cluster
  --kubernetes-version V  of the cluster (default: 1.29 or newer)
  --diff                  print what would change instead
`

/** Runs the command. Exit code 0, 1 when something cannot be injected, 64 for bad usage. */
export async function inject(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, INJECT_FLAGS)
  if (flags.has('help')) {
    io.stdout.write(USAGE)
    return 0
  }
  const options = optionsOf(flags)
  const { files, mistakes: unreadable } = await readSources(flags.positionals, io)
  const injected = injectManifests(files, options)
  const mistakes = [...unreadable, ...injected.mistakes]
  const warnings = injected.warnings.map((warning) => `warning: ${warning}`)
  complain(io, 'wimds inject', ...warnings, ...mistakes)
  if (mistakes.length > 0) return 1
  if (injected.workloads === 0) {
    complain(io, 'wimds inject', 'warning: there is no workload in the input')
  }
  const output = flags.has('diff')
    ? injected.files.map(({ name, source, edits }) => unifiedDiff(name, source, edits)).join('')
    : joined(injected.files.map(({ result }) => result))
  io.stdout.write(output)
  return 0
}

/** One stream of documents, with one byte order mark at most; a single file stays as it is. */
function joined(texts: readonly string[]): string {
  return texts.reduce((stream, text) => {
    if (stream === '') return text
    const ended = stream.endsWith('\n') ? stream : `${stream}\n`
    const next = text.replace(/^\uFEFF/, '')
    return next.startsWith('---') ? ended + next : `${ended}---\n${next}`
  }, '')
}
