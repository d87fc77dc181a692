// Writes docs/cli.md from the declarations of the commands. With --check writes nothing, and exits with 1 if the page is not
// current. Needs a Node that runs TypeScript: start it by `npm run docs:cli`.
import { COMMANDS } from '../src/cli/commands.ts'
import { EXIT_CODES } from '../src/cli/exit-codes.ts'
import { describeSignalExits } from '../src/cli/signals.ts'
import { GROUPS } from '../src/lib/args.ts'
import { DROP_IN } from '../src/cli/drop-in.ts'
import { declareAll, formatUsage, listFlags } from '../src/cli/help.ts'
import { writePage } from './write-page.mjs'

const commands = await declareAll(COMMANDS)
await writePage('docs/cli.md', formatPage(), 'npm run docs:cli')

function formatPage() {
  return `# Command line

<!-- Written by npm run docs:cli from the declarations beside the commands; edit those. -->

\`wimds help COMMAND\`, \`wimds COMMAND --help\` and \`wimds COMMAND -h\` print what is below.

${GROUPS.map(formatGroup).join('\n')}

## Exit codes

| code | meaning |
|---|---|
${[...EXIT_CODES, ...describeSignalExits(COMMANDS)].map(([code, meaning]) => `| ${code} | ${meaning} |`).join('\n')}

Errors are on standard error and name the command, the value and the fix.

${commands.map(formatCommand).join('\n')}

## Without a command

${formatText(DROP_IN.description)}

${formatFlags(DROP_IN.flags)}
`
}

function formatGroup(group) {
  const members = commands.filter((command) => command.group === group)
  const items = members.map(
    ({ name, summary }) => `- [\`wimds ${name}\`](#wimds-${name}): ${formatText(summary)}`,
  )
  return `${group}:\n\n${items.join('\n')}\n`
}

function formatCommand(command) {
  const { name, description, flags, notes, examples = [] } = command
  return `
## wimds ${name}

\`\`\`text
${formatUsage(command)}
\`\`\`

${formatText(description)}

${formatFlags(flags)}

${notes === undefined ? '' : `\`\`\`text\n${notes}\n\`\`\``}

${examples.length === 0 ? '' : `\`\`\`sh\n${examples.join('\n')}\n\`\`\``}

${formatExitCodes(command)}
`
}

function formatExitCodes({ exitCodes = {} }) {
  const meanings = Object.entries(exitCodes).map(([code, meaning]) => `${code}: ${meaning}`)
  return meanings.length === 0 ? '' : `[Exit codes](#exit-codes): ${meanings.join('; ')}.`
}

function formatFlags(flags) {
  return [...listFlags(flags)]
    .map(([group, rows], index) => {
      const items = rows.map(([flag, help]) => `- \`${flag}\`: ${formatText(help)}`)
      const heading = index === 0 ? '' : `${group}:\n\n`
      return `${heading}${items.join('\n')}`
    })
    .join('\n\n')
}

/** Turns the names of pages in a text into links. */
function formatText(text) {
  return text.replaceAll(/docs\/([\w-]+\.md)/g, '[$1]($1)')
}
