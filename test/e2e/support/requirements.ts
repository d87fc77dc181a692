/** Skips tests that the cluster cannot run. The reporter lists the reasons. Each function is for a file or a `describe`. */
import { beforeEach, type TestContext } from 'vitest'
import { AROUND } from './around.ts'
import { LOSE_NODE } from './environment.ts'
import { schedulableNodes } from './nodes.ts'
import { findCloud } from './real-imds.ts'
import { kubectl } from './run.ts'
import type { Mode } from './workloads.ts'

/** Skips the tests where the nodes need the metadata service of their cloud, which the suite would replace. */
export const needRealImds = () =>
  beforeEach(async ({ skip }) => {
    const cloud = await findCloud()
    skip(cloud !== undefined, `the nodes need the metadata service of ${cloud}`)
  })

/** Skips the tests if pods have no second node to which they can move. */
export const needTwoNodes = () =>
  beforeEach(async ({ skip }) => {
    skip((await schedulableNodes()).length < 2, 'only one node runs pods')
  })

/** Returns true if pods have an IPv4 address. Without one, no pod has a route to 169.254.169.254. */
export async function havePodsIpv4(): Promise<boolean> {
  const path = '--output=jsonpath={.status.podIPs[*].ip}'
  return (await kubectl(['get', 'pod', 'entra', `--namespace=${AROUND}`, path])).includes('.')
}

/** Skips a test of mode nft if pods have no IPv4 address. */
export const skipWithoutRoute = async (mode: Mode, skip: TestContext['skip']) =>
  skip(mode === 'nft' && !(await havePodsIpv4()), 'mode nft needs pods with an IPv4 address')

/** Skips the tests of mode nft where pods have no such route. */
export const needRoute = () => beforeEach(({ skip }) => skipWithoutRoute('nft', skip))

/** Skips the tests without a command that ends the machine of a node. */
export const needLostNode = () =>
  beforeEach(({ skip }) => skip(LOSE_NODE === undefined, 'LOSE_NODE names no command'))

/** Returns true if the API server has MutatingAdmissionPolicies, as from Kubernetes 1.36 on. */
export async function hasMutatingPolicies(): Promise<boolean> {
  const kinds = await kubectl(['get', '--raw', '/apis/admissionregistration.k8s.io/v1'])
  return kinds.includes('"mutatingadmissionpolicies"')
}

/** Skips the tests if the API server cannot inject by policies. */
export const needMutatingPolicies = () =>
  beforeEach(async ({ skip }) => {
    skip(!(await hasMutatingPolicies()), 'MutatingAdmissionPolicies need Kubernetes 1.36')
  })
