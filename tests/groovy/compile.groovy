// How the classes with Jenkins' names are compiled, so that they can be short.
//
// They see each other's packages without an import. @DataBound: each parameter that is not passed on fills
// the field of its name; without such a field it is a property, one that can only be read when it is final. The names
// are kept for configuration as code. @FixEmpty, @FixEmptyAndTrim: the setter stores null for an empty text.
// @LongAsText: a number that is got and set as text.
// @Refill: the setter fills the list there is. @Str: a number is got and set as text too, blank for the value given.
// @FirstContainer: the property is that of the template's first container. @Only in another version of the plugin than
// the one compiled for: left out.
import static groovyjarjarasm.asm.Opcodes.ACC_FINAL
import static groovyjarjarasm.asm.Opcodes.ACC_PUBLIC
import static org.codehaus.groovy.ast.ClassHelper.*
import static org.codehaus.groovy.ast.tools.GeneralUtils.*

import groovy.transform.Field
import org.codehaus.groovy.ast.*
import org.codehaus.groovy.ast.expr.ListExpression
import org.codehaus.groovy.ast.stmt.Statement

@Field final String PLUGIN = 'org.csanchez.jenkins.plugins.kubernetes'
@Field final List<String> PACKAGES = ['groovy.transform', 'standin', 'hudson', 'hudson.model', 'hudson.model.labels',
    'hudson.slaves', 'hudson.util', 'jenkins.model', 'io.jenkins.plugins.casc', PLUGIN] +
    ['model', 'pod.retention', 'pod.yaml', 'volumes', 'volumes.workspace'].collect { "$PLUGIN.$it" }

AnnotationNode annotation(AnnotatedNode node, String name) {
    node.annotations.find { it.classNode.nameWithoutPackage == name }
}

@Field final Parameter TEXT = param(STRING_TYPE, 'text')

void method(ClassNode type, String name, ClassNode returned, Statement code, Parameter... parameters) {
    type.addMethod(name, ACC_PUBLIC, returned, parameters, ClassNode.EMPTY_ARRAY, code)
}

boolean foreign(AnnotatedNode node) {
    String only = annotation(node, 'Only')?.getMember('value')?.value
    only != null && only != System.getProperty('plugin')
}

withConfig(configuration) {
    inline(phase: 'CONVERSION') { source, context, type ->
        if (!type.name.startsWith('pipeline.')) {
            PACKAGES.each { source.AST.addStarImport("${it}.") }
        }
    }
    inline(phase: 'SEMANTIC_ANALYSIS') { source, context, type ->
        if (foreign(type)) {
            source.AST.classes.remove(type)
        }
        type.declaredConstructors.removeAll { foreign(it) }
        type.methods.findAll { foreign(it) }.each { type.removeMethod(it) }
        type.properties.removeAll { foreign(it.field) }
        type.fields.findAll { foreign(it) }.each { type.removeField(it.name) }
        type.declaredConstructors.each { constructor ->
            def bound = annotation(constructor, 'DataBound')
            if (bound) {
                bound.setMember('value', new ListExpression(constructor.parameters.collect { constX(it.name) }))
                def chained = constructor.firstStatementIsSpecialConstructorCall() ? constructor.firstStatement : null
                def passedOn = chained ? chained.expression.arguments.expressions*.text : []
                constructor.parameters.findAll { !(it.name in passedOn) }.eachWithIndex { parameter, index ->
                    if (!type.getDeclaredField(parameter.name)) {
                        int modifiers = ACC_PUBLIC | parameter.modifiers & ACC_FINAL
                        type.addProperty(parameter.name, modifiers, parameter.type, null, null, null)
                    }
                    def fill = assignS(fieldX(type, parameter.name), varX(parameter))
                    constructor.code.statements.add(index + (chained ? 1 : 0), fill)
                }
            }
        }
        type.fields.findAll { annotation(it, 'Str') }.each {
            def name = it.name.capitalize()
            def blank = annotation(it, 'Str').getMember('value')
            def shown = callX(make('hudson.Util'), 'shown', args(callThisX("get$name"), blank))
            def number = callX(make('hudson.Util'), 'number', args(varX(TEXT), blank))
            method(type, "get${name}Str", STRING_TYPE, returnS(shown))
            method(type, "set${name}Str", VOID_TYPE, stmt(callThisX("set$name", number)), TEXT)
        }
        type.fields.findAll { annotation(it, 'LongAsText') }.each {
            def name = it.name.capitalize()
            def number = callX(callX(make('hudson.Util'), 'fixEmpty', varX(TEXT)), 'toLong').with { safe = true; it }
            method(type, "get$name", STRING_TYPE, returnS(callX(fieldX(it), 'toString').with { safe = true; it }))
            method(type, "get${name}AsLong", Long_TYPE, returnS(fieldX(it)))
            method(type, "set$name", VOID_TYPE, assignS(fieldX(it), number), TEXT)
        }
        type.properties.each {
            def fix = annotation(it.field, 'FixEmpty') ?: annotation(it.field, 'FixEmptyAndTrim')
            if (fix) {
                def method = fix.classNode.nameWithoutPackage.uncapitalize()
                it.setterBlock = assignS(fieldX(it.field), callX(make('hudson.Util'), method, varX('value')))
            }
            if (annotation(it.field, 'Refill')) {
                def list = fieldX(it.field)
                it.setterBlock = block(stmt(callX(list, 'clear')), stmt(callX(list, 'addAll', varX('value'))))
            }
            if (annotation(it.field, 'FirstContainer')) {
                def same = propX(callThisX('firstContainer'), it.name)
                it.getterBlock = returnS(same)
                it.setterBlock = it.field.final ? null : assignS(same, varX('value'))
            }
        }
    }
}
