// Which controller is played, and the annotations that tests/groovy/compile.groovy acts on.
package standin

import java.lang.annotation.*

class Version {
    static final boolean OLDER = System.getProperty('standin.plugin') == '1.29'
    static final String CORE = OLDER ? '2.277.3' : '2.452.1'
    static final Map<String, String> PLUGINS = OLDER
        ? [kubernetes: '1.29.0', 'configuration-as-code': '1.47', 'workflow-cps': '2.90']
        : [kubernetes: '4238.v41b_3ef14a_5d8', 'configuration-as-code': '1810.v9b_c30a_249a_4c',
           'workflow-cps': '3894.3896.vca_2c931e7935']
}

@interface Only { String value() }
@interface FixEmpty { }
@interface FixEmptyAndTrim { }
@interface FirstContainer { }
@interface Refill { }
@interface LongAsText { }
@interface Str { int value() }
@Retention(RetentionPolicy.RUNTIME) @interface DataBound { String[] value() default [] }
