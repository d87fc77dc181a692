/** The completion scripts, in the real shells. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempDisposable, mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { declareAll } from '../../src/cli/commands.ts'
import { createCompletion, SHELLS } from '../../src/cli/completion/completion.ts'
import { captureIo } from '../tools/capture.ts'

type Shell = (typeof SHELLS)[number]

async function scriptOf(shell: Shell): Promise<string> {
  const io = captureIo()
  expect(await createCompletion(declareAll)([shell], io)).toBe(0)
  return io.out()
}

/** Presses the tabulator key after the words, and returns what is offered, in order. */
type Complete = (directory: string, ...words: string[]) => string[]

const inBash: Complete = (directory, ...words) => {
  // As bash splits them: COMP_WORDBREAKS has the equals sign.
  const split = words.flatMap((word) =>
    word.split(/(=)/).filter((part, i) => part !== '' || i === 0),
  )
  if (words.at(-1)?.endsWith('=')) split.splice(-1, 1, '=')
  const command = `set -u
source ./script
COMP_WORDS=(wimds "$@") COMP_CWORD=$#
_wimds
printf '%s\\n' "\${COMPREPLY[@]-}"`
  return run(directory, 'bash', ['--norc', '-c', command, 'bash', ...split])
}

/** Types into an interactive zsh, and reads the matches from a hook of its completion system. */
const inZsh: Complete = (directory, ...words) => {
  const driver = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1= PS2=; stty -echo; autoload -Uz compinit; compinit -u -d ./dump; source ./script'
# Each match is written to a file instead of the screen.
zpty -w z 'compadd() { local -a words; builtin compadd -O words "$@"; print -rl -- $words >> ./matches; builtin compadd "$@" }'
zpty -w z 'done-completing() { zle complete-word; print finished > ./finished }; zle -N done-completing; bindkey "^T" done-completing'
zpty -w -n z "wimds $1"$'\\x14'
while [[ ! -e ./finished ]]; do zpty -r -t z line || sleep 0.05; done
zpty -d z
[[ ! -e ./matches ]] || cat ./matches`
  return run(directory, 'zsh', ['-f', '-c', driver, 'zsh', words.join(' ')])
}

const inFish: Complete = (directory, ...words) =>
  run(directory, 'fish', [
    '--no-config',
    '-c',
    'source ./script; complete -C "wimds $argv"',
    words.join(' '),
  ])

function run(cwd: string, shell: string, args: readonly string[]): string[] {
  const out = execFileSync(shell, args, {
    cwd,
    encoding: 'utf8',
    timeout: 60_000,
    env: { HOME: cwd, PATH: process.env['PATH'], TERM: 'dumb' },
  })
  const offers = out.split('\n').map((line) => line.replace(/\/?(?:\t.*)?$/, ''))
  return offers.filter((line) => line !== '')
}

const ALL_COMMANDS = await declareAll()
const names = ALL_COMMANDS.map(({ name }) => name)

test.each(SHELLS)('the script for %s has every flag of every command', async (shell) => {
  const script = await scriptOf(shell)
  const flags = new Set(ALL_COMMANDS.flatMap((command) => Object.keys(command.flags)))
  const missing = [...flags].filter(
    (flag) => !new RegExp(`(?:--|-l '?)${flag}(?![\\w-])`).test(script),
  )
  expect(missing).toEqual([])
})

describe.each([
  ['bash', inBash],
  ['zsh', inZsh],
  ['fish', inFish],
] as const)('%s', (shell, complete) => {
  const isMissing = spawnSync(shell, ['--version']).status !== 0

  async function offered(...words: string[]): Promise<string[]> {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-completion-'))
    await writeFile(join(directory.path, 'script'), await scriptOf(shell))
    await writeFile(join(directory.path, 'file.yaml'), '')
    await mkdir(join(directory.path, 'folder'))
    return [...new Set(complete(directory.path, ...words))].toSorted()
  }

  test.skipIf(isMissing).each([
    [[''], names],
    [['do'], ['doctor']],
    [['help', 'pro'], ['probe']],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh'],
    ],
    [['redirect', '--mo'], ['--mode']],
    [
      ['redirect', '--mode', ''],
      ['loopback', 'nft'],
    ],
    [['redirect', '--mode', 'l'], ['loopback']],
    [['env', '-o', 'd'], ['dotenv']],
    [
      ['token', '-o', ''],
      ['imds', 'json', 'text'],
    ],
    [['version', '--output', 'j'], ['json']],
    [['env', '--for', 'imds,cl'], [shell === 'zsh' ? 'cloud-shell' : 'imds,cloud-shell']],
    [['redirect', '--mode=l'], [shell === 'fish' ? '--mode=loopback' : 'loopback']],
    // Readline adds file names where the script offers nothing.
    [['inject', 'fi'], shell === 'bash' ? [] : ['file.yaml']],
    [['simulate', '--config', 'fi'], shell === 'bash' ? [] : ['file.yaml']],
    [['simulate', '--dir', 'fo'], ['folder']],
    [['probe', '--port', ''], []],
  ])('offers for %j: %j', async (words, expected) => {
    expect(await offered(...words)).toEqual(expected.toSorted())
  })
})
