package dev.idempotency.servlet.apps.spring;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import jakarta.servlet.DispatcherType;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** How the guide registers the filter in Spring Boot. */
@Configuration(proxyBeanMethods = false)
class BootRegistration {

  @Bean
  FilterRegistrationBean<IdempotencyFilter> idempotency(IdempotencyEngine engine) {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .scopeByPrincipal()
            .route("POST", "/v1/transfers", RoutePolicy.required())
            .build();
    FilterRegistrationBean<IdempotencyFilter> registration = new FilterRegistrationBean<>(filter);
    registration.setDispatcherTypes(
        DispatcherType.REQUEST, DispatcherType.ASYNC, DispatcherType.FORWARD);
    registration.setOrder(-99);
    return registration;
  }
}
