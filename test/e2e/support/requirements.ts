/** Skips tests that need more of the cluster than Kubernetes, with the reason, which the reporter lists. */
import { beforeEach } from 'vitest'
import { LOSE_NODE } from './environment.ts'
import { schedulableNodes } from './nodes.ts'
import { findCloud } from './real-imds.ts'
import { kubectl } from './run.ts'

/** The tests of this file or `describe` need a metadata service of the nodes that is the suite's. */
export const needRealImds = () =>
  beforeEach(async ({ skip }) => {
    const cloud = await findCloud()
    skip(cloud !== undefined, `the nodes need the metadata service of ${cloud}`)
  })

/** They need nodes between which pods can move. */
export const needTwoNodes = () =>
  beforeEach(async ({ skip }) => {
    skip((await schedulableNodes()).length < 2, 'only one node runs pods')
  })

/** They need a command that ends the machine of a node. */
export const needLostNode = () =>
  beforeEach(({ skip }) => skip(LOSE_NODE === undefined, 'LOSE_NODE names no command'))

/** Returns true if the API server has MutatingAdmissionPolicies, as from Kubernetes 1.36 on. */
export async function hasMutatingPolicies(): Promise<boolean> {
  const kinds = await kubectl(['get', '--raw', '/apis/admissionregistration.k8s.io/v1'])
  return kinds.includes('"mutatingadmissionpolicies"')
}

/** They need an API server that injects by policies. */
export const needMutatingPolicies = () =>
  beforeEach(async ({ skip }) => {
    skip(!(await hasMutatingPolicies()), 'MutatingAdmissionPolicies need Kubernetes 1.36')
  })
