/** The result of a row. */
import { z } from 'zod'

export const RowResult = z.object({
  language: z.string(),
  title: z.string(),
  status: z.enum(['passed', 'failed', 'skipped']),
  /** Reason of a failed or skipped row. */
  reason: z.string().optional(),
})

export type RowResult = z.infer<typeof RowResult>

/** Formats the last line of the output. */
export function formatSummary(results: readonly RowResult[]): string {
  const count = (wanted: RowResult['status']): number =>
    results.filter(({ status }) => status === wanted).length
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`
}
