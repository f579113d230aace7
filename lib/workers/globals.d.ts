// tinypool's types name the browser's Worker, which Node's types do not have.
interface Worker {
  readonly resourceLimits?: object;
}
