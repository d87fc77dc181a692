/** Describes how values change the rendered objects and the notes, as lines of text for the golden files. */
import { cp, rename, writeFile } from 'node:fs/promises'
import type { Folder } from '../fixtures/folder.ts'
import { CHART, parseDocuments, template, type Values } from './helm.ts'

/** Copies the chart so that its notes are an object, since `helm template` leaves them out. Returns its path. */
export async function copyWithNotes({ path, file }: Folder): Promise<string> {
  await cp(CHART, path, { recursive: true })
  await rename(file('templates/NOTES.txt'), file('files/NOTES.txt'))
  const notes = '{{ tpl (.Files.Get "files/NOTES.txt") . | toJson }}'
  await writeFile(
    file('templates/notes.yaml'),
    `{kind: Notes, metadata: {name: ""}, notes: ${notes}}\n`,
  )
  return path
}

/** Maps the kind and name of each object to its lines. */
type Lines = ReadonlyMap<string, ReadonlySet<string>>

/** Describes the lines that were added and removed, by object, and the objects that were removed. */
export function describeEffects(usual: Lines, found: Lines): string {
  const names = [...new Set([...usual.keys(), ...found.keys()])].toSorted()
  return names
    .flatMap((name) => {
      const [before = new Set<string>(), after] = [usual.get(name), found.get(name)]
      if (after === undefined) return [`- ${name}`]
      const lines = [
        ...[...before].filter((line) => !after.has(line)).map((line) => `  - ${line}`),
        ...[...after].filter((line) => !before.has(line)).map((line) => `  + ${line}`),
      ]
      return lines.length === 0 ? [] : [name, ...lines]
    })
    .join('\n')
}

/** Returns the notes that Helm prints after an installation. */
export async function renderNotes(chart: string, values: readonly Values[]): Promise<string> {
  const only = ['--show-only=templates/notes.yaml']
  const [document] = parseDocuments(await template([...values, only], { chart }))
  return document.notes
}

export async function renderLines(chart: string, values: readonly Values[]): Promise<Lines> {
  const output = await template(values, { chart })
  return new Map(
    parseDocuments(output).map(({ kind, metadata, ...others }) => {
      const { name, ...more } = metadata
      return [
        `${kind} ${name}`.trim(),
        new Set(flatten({ metadata: more, ...others }, '')),
      ] as const
    }),
  )
}

/** Returns a line for each value, with its path. The path names a list element; an element without a name is one line of JSON. */
function flatten(value: unknown, path: string, isElement = false): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((each: unknown, index) => {
      const text = JSON.stringify(each)
      const name = nameOf(each) ?? (text.includes(String.raw`\n`) ? String(index) : undefined)
      return name === undefined ? `${path}: ${text}` : flatten(each, `${path}/${name}`, true)
    })
  }
  if (typeof value === 'object' && value !== null) {
    // The name of a list element is in its path.
    const members = Object.entries(value).filter(([name]) => name !== 'name' || !isElement)
    return members.length === 0
      ? [`${path}: {}`]
      : members.flatMap(([name, each]) => flatten(each, path === '' ? name : `${path}/${name}`))
  }
  if (typeof value === 'string' && value.includes('\n')) {
    return value.split('\n').map((line) => `${path}| ${line.trim()}`)
  }
  return [`${path}: ${JSON.stringify(value)}`]
}

const nameOf = (value: unknown): string | undefined =>
  ['name', 'alert', 'record']
    .map((key): unknown =>
      typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined,
    )
    .find((name) => typeof name === 'string')
