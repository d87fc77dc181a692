// `node renumber-compiled-code.mjs SCRIPT`: loads SCRIPT.cache in a fresh process and writes it again. V8 numbers functions in the
// order in which it meets them, including Node's own, and which of those run depends on time. In a fresh process the functions
// are numbered in the order of the file, so every build writes the same bytes.
import { readFileSync, writeFileSync } from 'node:fs'
import { Script } from 'node:vm'

const [, , filename] = process.argv
const cachedData = readFileSync(`${filename}.cache`)
const source = readFileSync(filename, 'latin1')
const script = new Script(source, { filename: 'serve.cjs', cachedData })
if (script.cachedDataRejected) throw new Error('V8 rejects the compiled code that it has recorded')
writeFileSync(`${filename}.cache`, script.createCachedData())
