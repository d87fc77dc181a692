/** The script that keeps the open status page up to date. The page works without it. */
import { createHash } from 'node:crypto'

/**
 * Fetches the page every five seconds while it is visible, and replaces the parts that have changed. The scroll
 * position, the keyboard's focus and what the reader has opened or closed stay; a part in which text is selected is replaced later.
 */
export const SCRIPT = `
'use strict'
const INTERVAL_MS = 5000
const live = document.getElementById('live')
const button = document.getElementById('pause')
const FOCUSABLE = 'a, button, summary'
const findParts = (root) => root.querySelectorAll('[data-part]')
const markup = new Map([...findParts(document)].map((part) => [part.dataset.part, part.innerHTML]))
let timer
let paused = false
let answeredAt = ''

function schedule(ms) {
  clearTimeout(timer)
  if (!paused && !document.hidden) timer = setTimeout(refresh, ms)
}

async function refresh() {
  try {
    const response = await fetch('/status', { signal: AbortSignal.timeout(INTERVAL_MS) })
    if (!response.ok) throw new Error(response.statusText)
    const next = new DOMParser().parseFromString(await response.text(), 'text/html')
    if (next.documentElement.dataset.version !== document.documentElement.dataset.version) return location.reload()
    if (!paused) show(next)
  } catch {
    showLost()
  }
  schedule(INTERVAL_MS)
}

function show(next) {
  document.body.classList.remove('outdated')
  document.title = next.title
  document.querySelector('link[rel=icon]').href = next.querySelector('link[rel=icon]').href
  for (const source of findParts(next)) {
    const { part } = source.dataset
    const target = document.querySelector('[data-part="' + part + '"]')
    if (markup.get(part) === source.innerHTML || isSelected(target)) continue
    markup.set(part, source.innerHTML)
    replace(target, source)
  }
  showTime()
}

// What the page shows is no longer known to be true.
function showLost() {
  live.textContent =
    'No answer since ' + answeredAt + ': the sidecar or the port-forward may have ended. Trying again.'
  live.classList.add('lost')
  if (document.body.classList.contains('outdated')) return
  document.body.classList.add('outdated')
  document.title = 'No answer: ' + document.querySelector('h1').textContent
  const icon = document.querySelector('link[rel=icon]')
  icon.href = icon.href.replace(/%23[0-9a-f]{6}/, '%236b7280')
  const state = document.querySelector('.pill')
  state.className = 'pill starting'
  state.textContent = 'No answer'
  markup.delete('state')
}

function isSelected(part) {
  const selection = getSelection()
  return !selection.isCollapsed && selection.containsNode(part, true)
}

function replace(target, source) {
  const focusedAt = [...target.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement)
  const kept = [...target.querySelectorAll('details')].map(findChoice)
  target.replaceChildren(...source.childNodes)
  target.querySelectorAll('details').forEach((details, at) => (details.open = kept[at] ?? details.open))
  addCopyButtons(target)
  if (focusedAt >= 0) target.querySelectorAll(FOCUSABLE)[focusedAt]?.focus({ preventScroll: true })
}

// Returns whether the reader opened or closed it; undefined if it is as the sidecar rendered it.
function findChoice({ open, dataset }) {
  return open === 'open' in dataset ? undefined : open
}

function showTime() {
  answeredAt = document.getElementById('as-of').textContent
  live.textContent = paused ? 'Paused at ' + answeredAt : 'Live, as of ' + answeredAt
  live.classList.remove('lost')
  live.classList.toggle('paused', paused)
}

function addCopyButtons(root) {
  for (const command of root.querySelectorAll('.command')) {
    const copy = document.createElement('button')
    copy.type = 'button'
    copy.textContent = 'Copy'
    copy.addEventListener('click', async () => {
      await navigator.clipboard.writeText(command.querySelector('code').textContent)
      copy.textContent = 'Copied'
    })
    command.append(copy)
  }
}

button.addEventListener('click', () => {
  paused = !paused
  button.textContent = paused ? 'Resume' : 'Pause'
  showTime()
  schedule(0)
})
document.addEventListener('visibilitychange', () => schedule(0))
button.hidden = false
showTime()
addCopyButtons(document)
schedule(1500)
`

/** The hash of the script for the Content-Security-Policy. */
export const SCRIPT_HASH = `sha256-${createHash('sha256').update(SCRIPT).digest('base64')}`
