/** Formats the plan as JSON. */
import { formatManagedIdentityId } from '../../managed-identity.ts'
import { formatProblem } from '../../../lib/errors.ts'
import { formatDocument } from '../../json-document.ts'
import type { Finding } from '../finding.ts'
import { CREDENTIAL_LIMIT, type Plan } from '../plan.ts'

/** Returns the document, with the findings. */
export function formatJson(plan: Plan, findings: readonly Finding[]): string {
  return formatDocument({
    issuer: plan.issuer,
    limit: CREDENTIAL_LIMIT,
    identities: plan.identities.map((identity) => {
      const { clientId, kind, credentials, extra, count, isCompared, isOverLimit } = identity
      const resourceId = identity.id && formatManagedIdentityId(identity.id)
      return { clientId, kind, resourceId, count, isCompared, isOverLimit, credentials, extra }
    }),
    findings: findings.map(({ severity, object, ...problem }) => ({
      severity,
      object,
      message: formatProblem(problem),
    })),
  })
}
