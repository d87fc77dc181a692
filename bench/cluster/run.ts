/** `npm run bench:cluster`: what injection costs in a cluster; prints a table. Exits with 1 if a bar is exceeded. */
import { findExceeded } from '../figures.ts'
import { table, verdict } from '../table.ts'
import { readiness } from './readiness.ts'
import { reviews } from './reviews.ts'

const figures = [...(await readiness()), ...(await reviews())]
process.stdout.write(`${table(figures, 'the pod alone')}\n\n${verdict(figures)}\n`)
process.exitCode = findExceeded(figures).length > 0 ? 1 : 0
