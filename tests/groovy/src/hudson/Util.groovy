package hudson

import groovy.transform.CompileStatic

@CompileStatic
class Util {
    static String fixEmpty(String text) { text ? text : null }
    static String fixEmptyAndTrim(String text) { fixEmpty(text?.trim()) }
}
