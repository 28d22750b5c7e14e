/**
 * What a view of memory is, by the engine's own accessors, which no subclass and no property of the view can change. An
 * argument may say anything of itself: a `length` that lies, a `slice` that returns another view.
 */

type Getter<T> = (view: unknown) => T;

/** The getter of a property as a function of its object; bound here, so that later changes of prototypes do not reach it. */
function getter<T>(prototype: object, name: PropertyKey): Getter<T> {
  const get = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  return Function.prototype.call.bind(get ?? (() => undefined)) as Getter<T>;
}

const TYPED_ARRAY = /* @__PURE__ */ Object.getPrototypeOf(Uint8Array.prototype) as object;
const typedName = /* @__PURE__ */ getter<string | undefined>(TYPED_ARRAY, Symbol.toStringTag);
const typedBuffer = /* @__PURE__ */ getter<ArrayBufferLike>(TYPED_ARRAY, "buffer");
const typedOffset = /* @__PURE__ */ getter<number>(TYPED_ARRAY, "byteOffset");
const typedLength = /* @__PURE__ */ getter<number>(TYPED_ARRAY, "byteLength");
const viewBuffer = /* @__PURE__ */ getter<ArrayBufferLike>(DataView.prototype, "buffer");
const viewOffset = /* @__PURE__ */ getter<number>(DataView.prototype, "byteOffset");
const viewLength = /* @__PURE__ */ getter<number>(DataView.prototype, "byteLength");
const { isView } = ArrayBuffer;

/** Whether bytes contain a byte. @throws TypeError if their buffer is detached or has shrunk below them */
export const includes = /* @__PURE__ */ Function.prototype.call.bind(Uint8Array.prototype.includes) as (
  bytes: Uint8Array,
  byte: number,
) => boolean;

/** Whether a value is a Uint8Array, of whatever class and realm. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return typedName(value) === "Uint8Array";
}

/** What Node's errors call them. */
export const VIEW_TYPES = "an instance of Buffer, TypedArray, or DataView";

/** Whether a value is a typed array or a DataView. */
export function isArrayBufferView(value: unknown): value is NodeJS.ArrayBufferView {
  return isView(value);
}

/**
 * The bytes of a view as a plain Uint8Array over the same memory; none if its buffer is detached or has shrunk below it.
 * @throws TypeError for such a DataView, as its own byteLength does
 */
export function bytesOf(view: NodeJS.ArrayBufferView): Uint8Array {
  if (typedName(view) === undefined) return new Uint8Array(viewBuffer(view), viewOffset(view), viewLength(view));
  const length = typedLength(view);
  // A detached buffer cannot have a view.
  return length === 0 ? new Uint8Array(0) : new Uint8Array(typedBuffer(view), typedOffset(view), length);
}

/** The same; none for such a DataView too. */
export function bytesLeftOf(view: NodeJS.ArrayBufferView): Uint8Array {
  try {
    return bytesOf(view);
  } catch {
    return new Uint8Array(0);
  }
}

/** The bytes that a view has now. @throws TypeError for a DataView whose buffer is detached or has shrunk below it */
export function byteLengthOf(view: NodeJS.ArrayBufferView): number {
  return typedName(view) === undefined ? viewLength(view) : typedLength(view);
}

/** A private copy of a view's bytes: what other threads and later calls of the caller's functions do does not change it. */
export function copyOf(view: NodeJS.ArrayBufferView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytesOf(view));
}
