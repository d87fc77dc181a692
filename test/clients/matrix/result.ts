/** What came of a row. */
import { z } from 'zod'

export const RowResult = z.object({
  language: z.string(),
  title: z.string(),
  status: z.enum(['passed', 'failed', 'skipped']),
  /** Why it failed or was skipped. */
  reason: z.string().optional(),
})

export type RowResult = z.infer<typeof RowResult>

/** The plain closing line. */
export function summaryOf(results: readonly RowResult[]): string {
  const count = (wanted: RowResult['status']): number =>
    results.filter(({ status }) => status === wanted).length
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`
}
