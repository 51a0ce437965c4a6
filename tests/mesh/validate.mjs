// Checks resources, a JSON list on the standard input, against the schemas of Istio's own resource
// definitions, and prints what is wrong as a JSON list. Definitions let unknown fields pass, which
// the API server then drops: here they are wrong, too. A schema's compiled form reads each field
// that it knows, so that one which is never read is one that it does not know.

import * as extensions from '@kubernetes-models/istio/extensions.istio.io/v1alpha1'
import * as networking from '@kubernetes-models/istio/networking.istio.io/v1'
import * as networkingAlpha from '@kubernetes-models/istio/networking.istio.io/v1alpha3'
import * as security from '@kubernetes-models/istio/security.istio.io/v1'
import * as telemetry from '@kubernetes-models/istio/telemetry.istio.io/v1'

const KINDS = {
  'extensions.istio.io/v1alpha1': extensions,
  'networking.istio.io/v1': networking,
  'networking.istio.io/v1alpha3': networkingAlpha,
  'security.istio.io/v1': security,
  'telemetry.istio.io/v1': telemetry,
}
// What the definitions themselves leave open.
const OPEN = /^\/metadata\/|\/patch\/value\//

function watched (value, path, unread) {
  if (value === null || typeof value !== 'object') return value
  const children = new Map()
  for (const key of Object.keys(value)) {
    if (!Array.isArray(value)) unread.add(`${path}/${key}`)
    children.set(key, watched(value[key], `${path}/${key}`, unread))
  }
  return new Proxy(value, {
    get (target, key) {
      unread.delete(`${path}/${String(key)}`)
      return children.has(key) ? children.get(key) : Reflect.get(target, key)
    },
  })
}

function problems (resource) {
  const Kind = KINDS[resource.apiVersion]?.[resource.kind]
  if (!Kind) return [`unknown kind ${resource.apiVersion} ${resource.kind}`]
  const unread = new Set()
  const model = new Kind(resource)
  Object.assign(model, watched(resource, '', unread))
  try {
    model.validate()
  } catch (error) {
    return [error.message]
  }
  const unknown = [...unread].filter(path => path.startsWith('/spec') && !OPEN.test(path))
  return unknown.map(path => `unknown field ${path}`)
}

let text = ''
for await (const chunk of process.stdin) text += chunk
const found = JSON.parse(text).flatMap(resource =>
  problems(resource).map(problem => `${resource.kind} ${resource.metadata.name}: ${problem}`))
console.log(JSON.stringify(found))
