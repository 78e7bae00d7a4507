/** A shop made with Spring MVC. */
@NullMarked
package dev.idempotency.servlet.apps.spring;

import org.jspecify.annotations.NullMarked;
