/**
 * The browser's types that playwright-core's declarations mention. The project loads no DOM library, since
 * tests give a page its scripts as text.
 */
interface Node {}
interface Element extends Node {}
interface HTMLElement extends Element {}
interface SVGElement extends Element {}
interface HTMLElementTagNameMap {}
