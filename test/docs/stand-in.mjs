// Stands in for a program that the pages call and that is not run here: `stand-in.mjs PROGRAM ARG...`.
// Adds the call to the file that $CALLS names, and does what the rest of a page's block needs of it.
import { spawnSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { text } from 'node:stream/consumers'

const [program, ...args] = process.argv.slice(2)
const input = args.includes('-') ? await text(process.stdin) : ''
appendFileSync(process.env.CALLS, `${JSON.stringify({ program, args, input })}\n`)

if (program === 'aws') process.stdout.write('https://issuer.example.com/prod\n')
if (program === 'az' && args.includes('show')) process.stdout.write('/subscriptions/prod/orders\n')
if (program === 'kubectl' && args[0] === 'get') process.stdout.write('{}\n')
if (program === 'kubectl' && args[0] === 'exec' && args.includes('wimds')) {
  // What is run in the sidecar's container is run here.
  const [command, ...rest] = args.slice(args.indexOf('--') + 1)
  if (command === 'wimds') {
    process.exitCode = spawnSync(command, rest, { stdio: 'inherit' }).status ?? 1
  }
}
