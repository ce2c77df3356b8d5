// Which controller is played: the newer one by default, the one of 2021 with -Dstandin.plugin=1.29.
package standin

import groovy.transform.CompileStatic
import java.lang.annotation.ElementType
import java.lang.annotation.Retention
import java.lang.annotation.RetentionPolicy
import java.lang.annotation.Target

@CompileStatic
class Version {
    static final String OLD = '1.29'
    static final String NEW = '4238'
    static final String PLUGIN = System.getProperty('standin.plugin', NEW)
    static final boolean OLDER = PLUGIN == OLD

    static final Map<String, String> PLUGINS = OLDER ?
        [kubernetes: '1.29.0', 'configuration-as-code': '1.47', 'workflow-cps': '2.90'] :
        [kubernetes: '4238.v41b_3ef14a_5d8', 'configuration-as-code': '1810.v9b_c30a_249a_4c', 'workflow-cps': '3894.3896.vca_2c931e7935']
}

/** A class, field (with its accessors), method or constructor of one version only; VersionLoader takes it out of the other. */
@Retention(RetentionPolicy.RUNTIME)
@Target([ElementType.TYPE, ElementType.FIELD, ElementType.METHOD, ElementType.CONSTRUCTOR])
@interface Only {
    String value()
}
