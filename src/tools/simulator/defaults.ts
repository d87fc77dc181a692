/** The ids of the default directory: one tenant, three applications. */

export const TENANT_ID = '22222222-2222-4222-8222-222222222222'

/** Has a federated credential for `system:serviceaccount:shop:orders`, the default projected token. */
export const ORDERS = {
  clientId: '11111111-1111-4111-8111-111111111111',
  objectId: '33333333-3333-4333-8333-333333333333',
} as const

/** Has a federated credential for another service account: AADSTS700213 with the default token. */
export const BILLING = {
  clientId: '44444444-4444-4444-8444-444444444444',
  objectId: '55555555-5555-4555-8555-555555555555',
} as const

/** Has no federated credential: AADSTS70025. */
export const REPORTS = {
  clientId: '66666666-6666-4666-8666-666666666666',
  objectId: '88888888-8888-4888-8888-888888888888',
} as const
