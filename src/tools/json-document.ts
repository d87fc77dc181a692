/** The JSON documents that commands print with `-o json`. */
import { VERSION } from '../lib/version.ts'

/** Formats the JSON document of a command. Its form is public: members are added, never renamed. */
export function formatDocument(members: object): string {
  return `${JSON.stringify({ schemaVersion: 1, version: VERSION, ...members }, null, 2)}\n`
}
