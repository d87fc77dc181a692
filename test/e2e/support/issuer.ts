/** Reads the issuer of the cluster's service-account tokens. */
import { z } from 'zod'
import { kubectl } from './run.ts'

const Discovery = z.object({ issuer: z.string() })

export async function clusterIssuer(): Promise<string> {
  const document = await kubectl(['get', '--raw', '/.well-known/openid-configuration'])
  return Discovery.parse(JSON.parse(document)).issuer
}
