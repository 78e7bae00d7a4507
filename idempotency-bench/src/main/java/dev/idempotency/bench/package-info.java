/** What the library costs, measured beside the least that could do the same job. */
@NullMarked
package dev.idempotency.bench;

import org.jspecify.annotations.NullMarked;
