/** `npm run bench:cluster`: what injection costs in a cluster; prints a table. */
import { table, verdict } from '../table.ts'
import { readiness } from './readiness.ts'
import { reviews } from './reviews.ts'

const figures = [...(await readiness()), ...(await reviews())]
process.stdout.write(`${table(figures, 'the pod alone')}\n\n${verdict(figures)}\n`)
