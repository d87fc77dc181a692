// `node renumber-compiled-code.mjs SCRIPT`: reads SCRIPT.cache into a fresh process and writes it again. V8 numbers
// functions as it meets them, Node's own among them, and which of those run depends on time. Here they get
// their numbers in the order of the file, so that every build writes the same bytes.
import { readFileSync, writeFileSync } from 'node:fs'
import { Script } from 'node:vm'

const [, , filename] = process.argv
const cachedData = readFileSync(`${filename}.cache`)
const source = readFileSync(filename, 'latin1')
const script = new Script(source, { filename: 'serve.cjs', cachedData })
if (script.cachedDataRejected) throw new Error('V8 rejects the compiled code that it has recorded')
writeFileSync(`${filename}.cache`, script.createCachedData())
