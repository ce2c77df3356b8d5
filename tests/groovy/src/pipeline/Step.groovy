package pipeline

import java.lang.annotation.ElementType
import java.lang.annotation.Retention
import java.lang.annotation.RetentionPolicy
import java.lang.annotation.Target

/** Marks a method as a pipeline step. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
@interface Step {
    /** Named parameters; the first is what a single unnamed argument means. */
    String[] value() default []

    /** The class whose absence Jenkins names when the step is called outside a node. */
    String needs() default ''
}
