/**
 * Names of the browser that playwright-core's declarations mention. The project does without the DOM
 * library, and what a page runs is given to it as text.
 */
interface Node {}
interface Element extends Node {}
interface HTMLElement extends Element {}
interface SVGElement extends Element {}
interface HTMLElementTagNameMap {}
